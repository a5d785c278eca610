// Role assignments on one container of the vault account.

@description('Name of the vault account.')
param accountName string

@description('Name of the container.')
param containerName string

@description('Who gets what there: object id, name of the role, id of its definition.')
param grants { principalId: string, roleName: string, roleDefinitionId: string }[]

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: accountName

  resource blobService 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = { name: containerName }
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in grants: {
    scope: account::blobService::container
    name: guid(account::blobService::container.id, grant.principalId, grant.roleName)
    properties: {
      principalId: grant.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: grant.roleDefinitionId
    }
  }
]
