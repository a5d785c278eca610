// What the control identity may do on all servers of one subscription.
targetScope = 'subscription'

import { roleIds } from 'modules/role-ids.bicep'

@description('Object id of the control identity: output FLEXVAULT_CONTROL_PRINCIPAL_ID of main.bicep.')
param controlPrincipalId string

@description('static: the control identity gets its two roles here, once. delegated: it may assign these two roles, only to itself.')
@allowed(['static', 'delegated'])
param grantMode string = 'static'

// All that the control identity may hold on source servers: start long-term-retention backups, and read the server.
var sourceRoles = [roleIds.longTermRetentionBackup, roleIds.reader]

// Assign and remove these two roles, only to itself. Both write (by request) and delete (by the stored assignment) are
// bound. Form: Learn, "Examples to delegate Azure role assignment management with conditions"; a test compares the text.
var delegationCondition = '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/write\'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${roleIds.longTermRetentionBackup}, ${roleIds.reader}} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {${controlPrincipalId}})) AND ((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/delete\'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${roleIds.longTermRetentionBackup}, ${roleIds.reader}} AND @Resource[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {${controlPrincipalId}}))'

resource staticAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for roleId in sourceRoles: if (grantMode == 'static') {
    name: guid(subscription().id, controlPrincipalId, roleId)
    properties: {
      description: 'flexvault: start long-term-retention backups of flexible servers.'
      principalId: controlPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    }
  }
]

resource delegation 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (grantMode == 'delegated') {
  name: guid(subscription().id, controlPrincipalId, roleIds.roleBasedAccessControlAdministrator)
  properties: {
    condition: delegationCondition
    conditionVersion: '2.0'
    description: 'flexvault: assign and remove its own two source roles, nothing else.'
    principalId: controlPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds.roleBasedAccessControlAdministrator
    )
  }
}
