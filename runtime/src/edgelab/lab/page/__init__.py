"""The live page of a demo: devices, their Instances and brokers, and what the brokers say of them."""
