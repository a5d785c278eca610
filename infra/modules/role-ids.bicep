// Built-in role ids. roleDefinitions('name') also compiles, but nothing checks the name before a deployment, so the ids
// are pinned here and compared in tests/infra.

@export()
@description('Ids of the built-in roles that flexvault assigns.')
var roleIds = {
  longTermRetentionBackup: 'c088a766-074b-43ba-90d4-1fb21feae531'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
  roleBasedAccessControlAdministrator: 'f58310d9-a9f6-439a-9e8d-f62e7b41a168'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}
