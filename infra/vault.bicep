// The vault's storage: own deployment, own resource group, in the vault's subscription.
// Its outputs are parameters of main.bicep. The principal ids are outputs of main.bicep: deploy this, then the app, then
// this again with the ids.
targetScope = 'resourceGroup'

@description('Name of the vault account.')
@minLength(3)
@maxLength(24)
param vaultAccountName string

@description('Name of the landing account.')
@minLength(3)
@maxLength(24)
param landingAccountName string

@description('Azure region.')
param location string = resourceGroup().location

@description('Tags for every resource.')
param tags object = {}

@description('Redundancy of the vault account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param vaultSkuName string = 'Standard_GRS'

@description('Redundancy of the landing account.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param landingSkuName string = 'Standard_LRS'

@description('Object id of the control identity. Empty on the first run, before the app exists.')
param controlPrincipalId string = ''

@description('Object id of the writer identity. Empty on the first run.')
param writerPrincipalId string = ''

@description('Object id of the retention identity. Empty on the first run.')
param retentionPrincipalId string = ''

@description('Days that deleted blobs, versions and containers of the vault account can be brought back.')
@minValue(7)
@maxValue(365)
param softDeleteDays int = 14

var knownPrincipals = filter([controlPrincipalId, writerPrincipalId, retentionPrincipalId], id => !empty(id))
var withRoles = length(knownPrincipals) == 3
  ? true
  : empty(knownPrincipals) ? false : fail('Give the object ids of all three identities, or of none.')

module landing 'modules/landing-account.bicep' = {
  params: {
    location: location
    name: landingAccountName
    skuName: landingSkuName
    tags: tags
  }
}

module vault 'modules/vault-account.bicep' = {
  params: {
    location: location
    name: vaultAccountName
    skuName: vaultSkuName
    softDeleteDays: softDeleteDays
    tags: tags
  }
}

module roles 'modules/vault-roles.bicep' = if (withRoles) {
  dependsOn: [landing, vault]
  params: {
    controlPrincipalId: controlPrincipalId
    landingAccountName: landingAccountName
    retentionPrincipalId: retentionPrincipalId
    vaultAccountName: vaultAccountName
    writerPrincipalId: writerPrincipalId
  }
}

@description('Blob endpoint of the vault account: parameter of main.bicep.')
output VAULT_BLOB_ENDPOINT string = vault.outputs.blobEndpoint

@description('Blob endpoint of the landing account: parameter of main.bicep.')
output LANDING_BLOB_ENDPOINT string = landing.outputs.blobEndpoint
