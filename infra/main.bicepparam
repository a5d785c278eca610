using 'main.bicep'

param environmentName = readEnvironmentVariable('FLEXVAULT_ENVIRONMENT')
param location = readEnvironmentVariable('AZURE_LOCATION')
param vaultBlobEndpoint = readEnvironmentVariable('VAULT_BLOB_ENDPOINT')
param landingBlobEndpoint = readEnvironmentVariable('LANDING_BLOB_ENDPOINT')
param splitApps = bool(readEnvironmentVariable('FLEXVAULT_SPLIT_APPS', 'false'))
param sourceTenants = filter(
  split(readEnvironmentVariable('FLEXVAULT_SOURCE_TENANTS', ''), ','),
  item => !empty(item)
)
param federatedClientId = readEnvironmentVariable('FLEXVAULT_FEDERATED_CLIENT_ID', '')
param tokenAudiences = filter(
  split(readEnvironmentVariable('FLEXVAULT_TOKEN_AUDIENCES'), ','),
  item => !empty(item)
)
param restoreTargets = filter(
  split(readEnvironmentVariable('FLEXVAULT_RESTORE_TARGETS', ''), ','),
  item => !empty(item)
)
