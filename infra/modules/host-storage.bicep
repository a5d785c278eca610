// A function app's own storage account: deployment package, host locks, task hub, tables. Never landing, never vault.
// Whoever may write here can replace the app's code and feed its task hub: one account for each app, never shared.

import { roleIds } from 'role-ids.bicep'

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Name of the host identity, in the same resource group.')
param hostIdentityName string

@description('Names of host identities of other apps that share the tables of this account.')
param tableIdentityNames string[]

// Azure Functions needs Blob Data Owner for its locks; queue and table serve Durable Functions and the app's tables.
var hostRoles = [
  roleIds.storageBlobDataOwner
  roleIds.storageQueueDataContributor
  roleIds.storageTableDataContributor
]

resource hostIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: hostIdentityName
}

resource tableIdentities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identityName in tableIdentityNames: { name: identityName }
]

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = {
  parent: blobService
  name: 'app-package'
  properties: { publicAccess: 'None' }
}

resource hostAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for roleId in hostRoles: {
    scope: account
    name: guid(account.id, hostIdentity.id, roleId)
    properties: {
      principalId: hostIdentity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    }
  }
]

resource tableAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (identityName, i) in tableIdentityNames: {
    scope: account
    name: guid(account.id, tableIdentities[i].id, roleIds.storageTableDataContributor)
    properties: {
      principalId: tableIdentities[i].properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roleIds.storageTableDataContributor
      )
    }
  }
]

@description('URL of the container that holds the deployment package.')
output packageContainerUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'

@description('Table endpoint.')
output tableEndpoint string = account.properties.primaryEndpoints.table
