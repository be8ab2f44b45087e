"""The Akri controller: brokers and Services for Instances, and what to do when a node is lost."""
