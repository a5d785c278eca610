// flexvault, the app: one resource group, in the vault's subscription. vault.bicep comes first.
targetScope = 'subscription'

@description('Name of the environment; part of every name.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region.')
param location string

@description('Name of the vault in its resource id.')
param vaultName string = 'flexvault'

@description('Blob endpoint of the vault account: output of vault.bicep.')
param vaultBlobEndpoint string

@description('Blob endpoint of the landing account: output of vault.bicep.')
param landingBlobEndpoint string

@description('What tokens must be issued for: client id and identifier URI of the app registration.')
@minLength(1)
param tokenAudiences string[]

@description('Who may have issued tokens.')
param tokenIssuers string[] = ['${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0']

@description('Where the keys of the issuer are found.')
param openIdConfigurationUrl string = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0/.well-known/openid-configuration'

@description('Further restore targets: URLs of accounts or containers.')
param restoreTargets string[] = []

@description('Memory of one instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances the app may scale to.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'flexvault-environment': environmentName }
var appName = 'func-${token}'
var vaultResourceId = '${group.id}/providers/Microsoft.DataProtection/backupVaults/${vaultName}'
var componentName = 'appi-${token}'
var hostStorageName = 'st${token}'
var controlIdentityName = 'id-${token}-control'
var writerIdentityName = 'id-${token}-writer'
var retentionIdentityName = 'id-${token}-retention'
var hostIdentityName = 'id-${token}-host'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module control 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    name: controlIdentityName
    tags: tags
  }
}

module writer 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    name: writerIdentityName
    tags: tags
  }
}

module retention 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    name: retentionIdentityName
    tags: tags
  }
}

module host 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    name: hostIdentityName
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  dependsOn: [host]
  params: {
    componentName: componentName
    hostIdentityName: hostIdentityName
    location: location
    tags: tags
    workspaceName: 'log-${token}'
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  scope: group
  dependsOn: [host]
  params: {
    hostIdentityName: hostIdentityName
    location: location
    name: hostStorageName
    tags: tags
  }
}

// Everything that the app reads is set here, so that no behaviour in Azure hangs on a default in code.
module app 'modules/function-app.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    componentName: componentName
    hostIdentityName: hostIdentityName
    hostStorageName: hostStorageName
    instanceMemoryMB: instanceMemoryMB
    location: location
    maximumInstanceCount: maximumInstanceCount
    name: appName
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    planName: 'asp-${token}'
    settings: {
      FLEXVAULT_ARM_ENDPOINT: environment().resourceManager
      FLEXVAULT_CONTROL_CLIENT_ID: control.outputs.clientId
      FLEXVAULT_LANDING_BLOB_ENDPOINT: landingBlobEndpoint
      FLEXVAULT_LANDING_KEEP_DAYS: '14'
      FLEXVAULT_LANDING_SAS_PERMISSIONS: 'racwl'
      FLEXVAULT_LOCATION: location
      FLEXVAULT_LOOK_AHEAD_SECONDS: '300'
      FLEXVAULT_NOT_STARTED_AFTER_SECONDS: '180'
      FLEXVAULT_OPENID_CONFIGURATION_URL: openIdConfigurationUrl
      FLEXVAULT_POLL_FLOORS_SECONDS: '180,600,1200,1800'
      FLEXVAULT_RESTORE_TARGETS: join(restoreTargets, ',')
      FLEXVAULT_RETENTION_CLIENT_ID: retention.outputs.clientId
      FLEXVAULT_ROLE: 'all'
      FLEXVAULT_STALE_GRACE_SECONDS: '600'
      FLEXVAULT_SPREAD_SECONDS: '0'
      FLEXVAULT_TABLE_ENDPOINT: hostStorage.outputs.tableEndpoint
      FLEXVAULT_TOKEN_AUDIENCES: join(tokenAudiences, ',')
      FLEXVAULT_TOKEN_ISSUERS: join(tokenIssuers, ',')
      FLEXVAULT_UNSEALED_KEEP_DAYS: '14'
      FLEXVAULT_VAULT_BLOB_ENDPOINT: vaultBlobEndpoint
      FLEXVAULT_VAULT_RESOURCE_ID: vaultResourceId
      FLEXVAULT_WRITER_CLIENT_ID: writer.outputs.clientId
      RECONCILE_TICK: '0 2/5 * * * *'
      RETENTION_TICK: '0 10 3 * * *'
      SCHEDULE_TICK: '0 */5 * * * *'
      TASK_HUB_NAME: 'flexvault'
    }
    tags: tags
    vaultIdentityNames: [controlIdentityName, writerIdentityName, retentionIdentityName]
  }
}

@description('Base URL of the HTTP API.')
output FLEXVAULT_API_URL string = app.outputs.apiUrl

@description('Object id of the control identity: parameter of vault.bicep and of source-roles.bicep.')
output FLEXVAULT_CONTROL_PRINCIPAL_ID string = control.outputs.principalId

@description('Object id of the writer identity: parameter of vault.bicep.')
output FLEXVAULT_WRITER_PRINCIPAL_ID string = writer.outputs.principalId

@description('Object id of the retention identity: parameter of vault.bicep.')
output FLEXVAULT_RETENTION_PRINCIPAL_ID string = retention.outputs.principalId

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app: what the code is published to.')
output APP_NAME string = appName

@description('Resource id of the vault: what clients of the API name.')
output FLEXVAULT_VAULT_RESOURCE_ID string = vaultResourceId
