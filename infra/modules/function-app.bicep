// One Flex Consumption plan and its function app. No Easy Auth: the app itself validates every bearer token.

@description('Name of the function app. Over 32 characters, two apps could share a host id.')
@minLength(2)
@maxLength(32)
param name string

@description('Name of the plan.')
param planName string

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Name of the host identity, in the same resource group: storage, tables, telemetry.')
param hostIdentityName string

@description('Names of the vault identities that this app may use, in the same resource group.')
param vaultIdentityNames string[]

@description('Name of the host storage account.')
param hostStorageName string

@description('URL of the container that holds the deployment package.')
param packageContainerUrl string

@description('Name of the Application Insights component.')
param componentName string

@description('The app\'s own settings.')
param settings { *: string }

@description('Memory of one instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Most instances the app may scale to.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('Instances of the durable group that are always on.')
@minValue(0)
@maxValue(5)
param alwaysReadyInstances int

@description('Whether the site answers the public internet. The code can be published in both cases.')
param openDoor bool

resource hostIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: hostIdentityName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

var identityIds = map(
  concat([hostIdentityName], vaultIdentityNames),
  identityName => resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', identityName)
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: toObject(identityIds, id => id, id => {})
  }
  properties: {
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: hostIdentity.id
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        // Orchestrations and activities scale as one group; without an instance that is always on, a job's next step
        // waits for a cold start.
        alwaysReady: alwaysReadyInstances == 0
          ? []
          : [
              {
                name: 'durable'
                instanceCount: alwaysReadyInstances
              }
            ]
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: { perInstanceConcurrency: 16 }
        }
      }
    }
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    serverFarmId: plan.id
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: openDoor ? 'Allow' : 'Deny'
      minTlsVersion: '1.2'
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
      scmIpSecurityRestrictionsUseMain: false
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: union(
    {
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${hostIdentity.properties.clientId};Authorization=AAD'
      APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
      AZURE_CLIENT_ID: hostIdentity.properties.clientId
      AzureWebJobsStorage__accountName: hostStorageName
      AzureWebJobsStorage__clientId: hostIdentity.properties.clientId
      AzureWebJobsStorage__credential: 'managedidentity'
      OTEL_SERVICE_NAME: name
      OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
      OTEL_TRACES_SAMPLER_ARG: '1.0'
      PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
      PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'flexvault'
      PYTHON_THREADPOOL_THREAD_COUNT: '32'
    },
    settings
  )
}

resource scmBasicAuth 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'scm'
  properties: { allow: false }
}

resource ftpBasicAuth 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

@description('Base URL of the HTTP API.')
output apiUrl string = 'https://${site.properties.defaultHostName}/api'
