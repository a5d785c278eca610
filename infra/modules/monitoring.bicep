// Log Analytics and Application Insights. Telemetry is taken from identities only, so nobody can forge it with a key.

import { roleIds } from 'role-ids.bicep'

@description('Name of the Log Analytics workspace.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Name of the Application Insights component.')
param componentName string

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Names of the host identities, in the same resource group: they send the telemetry.')
param hostIdentityNames string[]

resource hostIdentities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identityName in hostIdentityNames: { name: identityName }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    retentionInDays: 90
    sku: { name: 'PerGB2018' }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: workspace.id
  }
}

resource publishers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (identityName, i) in hostIdentityNames: {
    scope: component
    name: guid(component.id, hostIdentities[i].id, roleIds.monitoringMetricsPublisher)
    properties: {
      principalId: hostIdentities[i].properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleIds.monitoringMetricsPublisher
      )
    }
  }
]
