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

@description('Two apps of one package: front (HTTP door and backups; it cannot delete) and janitor (retention). Otherwise one app does all.')
param splitApps bool = false

@description('What tokens must be issued for: client id and identifier URI of the app registration.')
@minLength(1)
param tokenAudiences string[]

@description('Who may have issued tokens.')
param tokenIssuers string[] = ['${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0']

@description('Where the keys of the issuer are found.')
param openIdConfigurationUrl string = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0/.well-known/openid-configuration'

@description('Further restore targets: URLs of accounts or containers.')
param restoreTargets string[] = []

@description('Subscriptions of other tenants that the federated app reaches: tenantId:subscriptionId each. Lighthouse needs none.')
param sourceTenants string[] = []

@description('Client id of the multi-tenant app registration that trusts the control identity. Empty without such sources.')
param federatedClientId string = ''

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
var janitorName = 'func-${token}-janitor'
var vaultResourceId = '${group.id}/providers/Microsoft.DataProtection/backupVaults/${vaultName}'
var componentName = 'appi-${token}'
var hostStorageName = 'st${token}'
var janitorStorageName = 'st${token}j'
var controlIdentityName = 'id-${token}-control'
var writerIdentityName = 'id-${token}-writer'
var retentionIdentityName = 'id-${token}-retention'
var hostIdentityName = 'id-${token}-host'
var janitorHostIdentityName = 'id-${token}-host-janitor'

// What both apps read. A setting that an app has no use for is empty: it is there, and says "not mine".
var commonSettings = {
  FLEXVAULT_LANDING_KEEP_DAYS: '14'
  FLEXVAULT_LANDING_SAS_PERMISSIONS: 'racwl'
  FLEXVAULT_LOCATION: location
  FLEXVAULT_LOOK_AHEAD_SECONDS: '300'
  FLEXVAULT_NOT_STARTED_AFTER_SECONDS: '180'
  FLEXVAULT_POLL_FLOORS_SECONDS: '180,600,1200,1800'
  FLEXVAULT_REQUESTS_PER_MINUTE: '1500'
  FLEXVAULT_STALE_GRACE_SECONDS: '600'
  FLEXVAULT_SPREAD_SECONDS: '0'
  FLEXVAULT_TENANT_ID: tenant().tenantId
  FLEXVAULT_UNSEALED_KEEP_DAYS: '14'
  FLEXVAULT_VAULT_BLOB_ENDPOINT: vaultBlobEndpoint
  FLEXVAULT_VAULT_RESOURCE_ID: vaultResourceId
  RECONCILE_TICK: '0 2/5 * * * *'
  RETENTION_TICK: '0 10 3 * * *'
  SCHEDULE_TICK: '0 */5 * * * *'
}

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

module janitorHost 'modules/identity.bicep' = if (splitApps) {
  scope: group
  params: {
    location: location
    name: janitorHostIdentityName
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  dependsOn: [host, janitorHost]
  params: {
    componentName: componentName
    hostIdentityNames: splitApps ? [hostIdentityName, janitorHostIdentityName] : [hostIdentityName]
    location: location
    tags: tags
    workspaceName: 'log-${token}'
  }
}

// This account also holds the tables, which a janitor shares.
module hostStorage 'modules/host-storage.bicep' = {
  scope: group
  dependsOn: [host, janitorHost]
  params: {
    hostIdentityName: hostIdentityName
    location: location
    name: hostStorageName
    tableIdentityNames: splitApps ? [janitorHostIdentityName] : []
    tags: tags
  }
}

// Whoever may write an app's host account owns its code and its task hub: the janitor has one of its own.
module janitorStorage 'modules/host-storage.bicep' = if (splitApps) {
  scope: group
  dependsOn: [janitorHost]
  params: {
    hostIdentityName: janitorHostIdentityName
    location: location
    name: janitorStorageName
    tableIdentityNames: []
    tags: tags
  }
}

// Everything that the app reads is set here, so that no behaviour in Azure hangs on a default in code.
module app 'modules/function-app.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    alwaysReadyInstances: 1
    componentName: componentName
    hostIdentityName: hostIdentityName
    hostStorageName: hostStorageName
    instanceMemoryMB: instanceMemoryMB
    location: location
    maximumInstanceCount: maximumInstanceCount
    name: appName
    openDoor: true
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    planName: 'asp-${token}'
    settings: union(commonSettings, {
      FLEXVAULT_ARM_ENDPOINT: environment().resourceManager
      FLEXVAULT_CONTROL_CLIENT_ID: control.outputs.clientId
      FLEXVAULT_FEDERATED_CLIENT_ID: federatedClientId
      FLEXVAULT_LANDING_BLOB_ENDPOINT: landingBlobEndpoint
      FLEXVAULT_OPENID_CONFIGURATION_URL: openIdConfigurationUrl
      FLEXVAULT_RESTORE_TARGETS: join(restoreTargets, ',')
      FLEXVAULT_RETENTION_CLIENT_ID: splitApps ? '' : retention.outputs.clientId
      FLEXVAULT_ROLE: splitApps ? 'front' : 'all'
      FLEXVAULT_SOURCE_TENANTS: join(sourceTenants, ',')
      FLEXVAULT_TABLE_ENDPOINT: hostStorage.outputs.tableEndpoint
      FLEXVAULT_TOKEN_AUDIENCES: join(tokenAudiences, ',')
      FLEXVAULT_TOKEN_ISSUERS: join(tokenIssuers, ',')
      FLEXVAULT_WRITER_CLIENT_ID: writer.outputs.clientId
      TASK_HUB_NAME: 'flexvault'
    })
    tags: tags
    vaultIdentityNames: splitApps
      ? [controlIdentityName, writerIdentityName]
      : [controlIdentityName, writerIdentityName, retentionIdentityName]
  }
}

module janitor 'modules/function-app.bicep' = if (splitApps) {
  scope: group
  dependsOn: [monitoring]
  params: {
    alwaysReadyInstances: 0
    componentName: componentName
    hostIdentityName: janitorHostIdentityName
    hostStorageName: janitorStorageName
    instanceMemoryMB: instanceMemoryMB
    location: location
    maximumInstanceCount: maximumInstanceCount
    name: janitorName
    openDoor: false
    packageContainerUrl: janitorStorage!.outputs.packageContainerUrl
    planName: 'asp-${token}-janitor'
    settings: union(commonSettings, {
      FLEXVAULT_ARM_ENDPOINT: ''
      FLEXVAULT_CONTROL_CLIENT_ID: ''
      FLEXVAULT_FEDERATED_CLIENT_ID: ''
      FLEXVAULT_LANDING_BLOB_ENDPOINT: ''
      FLEXVAULT_OPENID_CONFIGURATION_URL: ''
      FLEXVAULT_RESTORE_TARGETS: ''
      FLEXVAULT_RETENTION_CLIENT_ID: retention.outputs.clientId
      FLEXVAULT_ROLE: 'janitor'
      FLEXVAULT_SOURCE_TENANTS: ''
      FLEXVAULT_TABLE_ENDPOINT: hostStorage.outputs.tableEndpoint
      FLEXVAULT_TOKEN_AUDIENCES: ''
      FLEXVAULT_TOKEN_ISSUERS: ''
      FLEXVAULT_WRITER_CLIENT_ID: ''
      TASK_HUB_NAME: 'flexvaultjanitor'
    })
    tags: tags
    vaultIdentityNames: [retentionIdentityName]
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

@description('Name of the janitor: the code is published to it, too. Empty where one app does all.')
output JANITOR_NAME string = splitApps ? janitorName : ''

@description('Resource id of the vault: what clients of the API name.')
output FLEXVAULT_VAULT_RESOURCE_ID string = vaultResourceId
