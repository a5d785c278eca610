using 'vault.bicep'

param vaultAccountName = readEnvironmentVariable('VAULT_ACCOUNT_NAME')
param landingAccountName = readEnvironmentVariable('LANDING_ACCOUNT_NAME')
param controlPrincipalId = readEnvironmentVariable('FLEXVAULT_CONTROL_PRINCIPAL_ID', '')
param writerPrincipalId = readEnvironmentVariable('FLEXVAULT_WRITER_PRINCIPAL_ID', '')
param retentionPrincipalId = readEnvironmentVariable('FLEXVAULT_RETENTION_PRINCIPAL_ID', '')
