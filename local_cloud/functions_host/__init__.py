"""The Azure Functions host of the local cloud: a Python v2 app with Durable Functions 2.x on one machine.

It drives Microsoft's own `azure-functions-runtime` in process and answers as the real host was seen to answer. What it
does not emulate it refuses by name: other triggers and bindings, entities, the keyed admin API and the durable HTTP
management API.
"""
