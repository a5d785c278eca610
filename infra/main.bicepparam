using 'main.bicep'

param environmentName = readEnvironmentVariable('FLEXVAULT_ENVIRONMENT')
param location = readEnvironmentVariable('AZURE_LOCATION')
param vaultBlobEndpoint = readEnvironmentVariable('VAULT_BLOB_ENDPOINT')
param landingBlobEndpoint = readEnvironmentVariable('LANDING_BLOB_ENDPOINT')
param tokenAudiences = filter(
  split(readEnvironmentVariable('FLEXVAULT_TOKEN_AUDIENCES'), ','),
  item => !empty(item)
)
param restoreTargets = filter(
  split(readEnvironmentVariable('FLEXVAULT_RESTORE_TARGETS', ''), ','),
  item => !empty(item)
)
