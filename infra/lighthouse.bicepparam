using 'lighthouse.bicep'

param vaultTenantId = readEnvironmentVariable('FLEXVAULT_TENANT_ID')
param principalId = readEnvironmentVariable('FLEXVAULT_CONTROL_PRINCIPAL_ID')
