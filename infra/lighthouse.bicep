// A source subscription in another tenant: its owner deploys this there, and delegates the two source roles to a group of
// the vault's tenant that holds the control identity. Lighthouse knows built-in roles without data actions only; it gives
// no right on the vault.
targetScope = 'subscription'

import { roleIds } from 'modules/role-ids.bicep'

@description('Tenant of the vault.')
param vaultTenantId string

@description('Object id, in the vault tenant, of the group that holds the control identity, or of the identity itself.')
param principalId string

@description('Name shown to the owner of the subscription.')
param principalName string = 'flexvault'

// All that the control identity may hold on source servers: start long-term-retention backups, and read the server.
var sourceRoles = [roleIds.longTermRetentionBackup, roleIds.reader]

resource definition 'Microsoft.ManagedServices/registrationDefinitions@2022-10-01' = {
  name: guid(subscription().id, vaultTenantId, 'flexvault')
  properties: {
    authorizations: [
      for roleId in sourceRoles: {
        principalId: principalId
        principalIdDisplayName: principalName
        #disable-next-line use-resource-id-functions // Lighthouse wants the bare id
        roleDefinitionId: roleId
      }
    ]
    description: 'Long-term-retention backups of Azure Database for PostgreSQL flexible servers.'
    managedByTenantId: vaultTenantId
    registrationDefinitionName: 'flexvault'
  }
}

resource assignment 'Microsoft.ManagedServices/registrationAssignments@2022-10-01' = {
  name: guid(subscription().id, vaultTenantId, 'flexvault-assignment')
  properties: { registrationDefinitionId: definition.id }
}
