// What the three identities may do in the landing and the vault account. The host's own identity may do nothing here.
//
// Sources. Names: Learn, "Azure permissions for Storage", Microsoft.Storage, page of 2026-02-23 (all of them found there).
// Which call needs which: Learn, "Authorize with Microsoft Entra ID", permissions for Blob service operations, and
// "Actions and attributes for Azure role assignment conditions for Azure Blob Storage". Not confirmed: see infra/README.md.

import { roleIds } from 'role-ids.bicep'

@description('Name of the landing account.')
param landingAccountName string

@description('Name of the vault account.')
param vaultAccountName string

@description('Object id of the control identity.')
param controlPrincipalId string

@description('Object id of the writer identity.')
param writerPrincipalId string

@description('Object id of the retention identity.')
param retentionPrincipalId string

var groupId = resourceGroup().id

// Data actions, each with the calls that need it.
var readBlobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read' // Get Blob, List Blobs, Get Block List
var writeBlobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write' // Put Block From URL, Put Block List, Set Blob Tier
var addBlobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action' // Put Blob of a new blob
var deleteBlobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete' // Delete Blob on the base name
var deleteVersions = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action' // Delete Blob by version id
var setImmutability = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/immutableStorage/runAsSuperUser/action' // Set and Delete Blob Immutability Policy; Set Blob Legal Hold

// Actions.
var delegateKeys = 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action' // Get User Delegation Key
var readSettings = [
  'Microsoft.Storage/storageAccounts/read'
  'Microsoft.Storage/storageAccounts/blobServices/read'
  'Microsoft.Storage/storageAccounts/blobServices/containers/read'
  'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/read'
]

// Names of custom roles are unique in a tenant, hence the suffix below.
var roles = [
  {
    name: 'control'
    description: 'Read blobs and settings; set and extend immutability, set and clear holds. No write, no delete.'
    actions: readSettings
    dataActions: [readBlobs, setImmutability]
  }
  {
    name: 'writer'
    description: 'Read blobs, sign read-only user delegation SAS. What it writes is the recorder role.'
    actions: [delegateKeys]
    dataActions: [readBlobs]
  }
  {
    name: 'retention'
    description: 'Read blobs. What it deletes is the cleaner role, what it writes the recorder role.'
    actions: []
    dataActions: [readBlobs]
  }
  {
    name: 'recorder'
    description: 'Write blobs: on single containers alone. No delete, no containers, no immutability.'
    actions: []
    dataActions: [writeBlobs, addBlobs]
  }
  {
    name: 'cleaner'
    description: 'Delete blobs and versions that no policy or hold protects: on points and manifests alone.'
    actions: []
    dataActions: [deleteBlobs, deleteVersions]
  }
]
var vaultGrants = [
  {
    principalId: controlPrincipalId
    role: 0
  }
  {
    principalId: writerPrincipalId
    role: 1
  }
  {
    principalId: retentionPrincipalId
    role: 2
  }
]

resource landing 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: landingAccountName
}

resource vault 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: vaultAccountName
}

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in roles: {
    name: guid(groupId, 'flexvault', role.name)
    properties: {
      roleName: 'flexvault ${role.name} (${uniqueString(groupId)})'
      description: role.description
      type: 'CustomRole'
      assignableScopes: [groupId]
      permissions: [
        {
          actions: role.actions
          notActions: []
          dataActions: role.dataActions
          notDataActions: []
        }
      ]
    }
  }
]

// Storage Blob Data Contributor also holds Get User Delegation Key: the writer signs the SAS that LTR writes with.
resource landingAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: landing
  name: guid(landing.id, writerPrincipalId, roleIds.storageBlobDataContributor)
  properties: {
    principalId: writerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds.storageBlobDataContributor
    )
  }
}

resource vaultAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in vaultGrants: {
    scope: vault
    name: guid(vault.id, grant.principalId, roles[grant.role].name)
    properties: {
      principalId: grant.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: definitions[grant.role].id
    }
  }
]

// The writer makes points, and nobody deletes in journal and plans. Only retention writes plans: so a stored plan is a
// proof that the app behind the HTTP door cannot make.
module points 'container-roles.bicep' = {
  params: {
    accountName: vaultAccountName
    containerName: 'points'
    grants: [
      {
        principalId: writerPrincipalId
        roleName: 'recorder'
        roleDefinitionId: definitions[3].id
      }
      {
        principalId: retentionPrincipalId
        roleName: 'cleaner'
        roleDefinitionId: definitions[4].id
      }
    ]
  }
}

module manifests 'container-roles.bicep' = {
  params: {
    accountName: vaultAccountName
    containerName: 'manifests'
    grants: [
      {
        principalId: writerPrincipalId
        roleName: 'recorder'
        roleDefinitionId: definitions[3].id
      }
      {
        principalId: retentionPrincipalId
        roleName: 'cleaner'
        roleDefinitionId: definitions[4].id
      }
    ]
  }
}

module journal 'container-roles.bicep' = {
  params: {
    accountName: vaultAccountName
    containerName: 'journal'
    grants: [
      {
        principalId: writerPrincipalId
        roleName: 'recorder'
        roleDefinitionId: definitions[3].id
      }
      {
        principalId: retentionPrincipalId
        roleName: 'recorder'
        roleDefinitionId: definitions[3].id
      }
    ]
  }
}

module plans 'container-roles.bicep' = {
  params: {
    accountName: vaultAccountName
    containerName: 'plans'
    grants: [
      {
        principalId: retentionPrincipalId
        roleName: 'recorder'
        roleDefinitionId: definitions[3].id
      }
    ]
  }
}
