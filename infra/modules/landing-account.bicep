// The landing account: the only place that LTR may write to. Ordinary storage, no versions, no WORM, no lifecycle rule:
// flexvault itself removes a container once its files are promoted.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Redundancy. A landing file lives for hours and can be backed up again.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param skuName string

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: skuName }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    // No allowedCopyScope: it limits the sources of copies *into* this account. Whether LTR uploads or copies from an
    // account of Microsoft's own tenant is unknown, and AAD would refuse such a copy.
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    // The longest SAS: a key of 7 days, an hour for the start in the past. Log, never Block: a backup must not fail on it.
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
    // One day against a slip of the hand; more would only pay for every promoted file twice.
    containerDeleteRetentionPolicy: {
      days: 1
      enabled: true
    }
    deleteRetentionPolicy: {
      allowPermanentDelete: false
      days: 1
      enabled: true
    }
    isVersioningEnabled: false
  }
}

@description('Blob endpoint of the account.')
output blobEndpoint string = account.properties.primaryEndpoints.blob
