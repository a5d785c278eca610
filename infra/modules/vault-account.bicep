// The vault account: versions and version-level WORM. Blobs get their policy one by one, until their expiry; the account
// has no default policy, and no SAS with write ever exists for it.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Redundancy.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param skuName string

@description('Days that deleted blobs, versions and containers can be brought back.')
@minValue(7)
@maxValue(365)
param softDeleteDays int

// The app may not create containers, so a change here is a change of the app's storage layout.
var containerNames = ['points', 'manifests', 'plans', 'journal']

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: skuName }
  properties: {
    // Cool and Cold bill a least stay and every read.
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    // Limits the sources of copies into this account. Landing is of the same tenant, so a promotion passes.
    allowedCopyScope: 'AAD'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    encryption: {
      keySource: 'Microsoft.Storage'
      // Can be set only when the account is created.
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
    // Can be set only when the account is created. Every container inherits it.
    immutableStorageWithVersioning: { enabled: true }
    minimumTlsVersion: 'TLS1_2'
    // For the read-only SAS of a restore.
    sasPolicy: {
      expirationAction: 'Log'
      sasExpirationPeriod: '7.01:00:00'
    }
    supportsHttpsTrafficOnly: true
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' = {
  parent: account
  name: 'default'
  properties: {
    containerDeleteRetentionPolicy: {
      days: softDeleteDays
      enabled: true
    }
    deleteRetentionPolicy: {
      allowPermanentDelete: false
      days: softDeleteDays
      enabled: true
    }
    isVersioningEnabled: true
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = [
  for containerName in containerNames: {
    parent: blobService
    name: containerName
    properties: { publicAccess: 'None' }
  }
]

@description('Blob endpoint of the account.')
output blobEndpoint string = account.properties.primaryEndpoints.blob
