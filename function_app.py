"""Registers what this app's role does, and does nothing else."""

import azure.durable_functions as df
import azure.functions as func

from activities import ACTIVITIES, CLIENT_ACTIVITIES
from flexvault.bootstrap import start_app
from orchestrators import ORCHESTRATORS
from triggers import DOORS, TIMERS
from triggers.http import METHODS

role = start_app()
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for timer, setting in TIMERS[role]:
    app.timer_trigger(arg_name="timer", schedule=setting)(app.durable_client_input(client_name="client")(timer))
for door in DOORS[role]:
    app.route(route="{*path}", methods=METHODS)(app.durable_client_input(client_name="client")(door))
for orchestrator in ORCHESTRATORS[role]:
    app.orchestration_trigger(context_name="ctx")(orchestrator)
for activity in ACTIVITIES[role]:
    app.activity_trigger(input_name="request")(activity)
for activity in CLIENT_ACTIVITIES[role]:
    app.activity_trigger(input_name="request")(app.durable_client_input(client_name="client")(activity))
