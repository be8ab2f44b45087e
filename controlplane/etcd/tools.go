//go:build tools

// Package tools pins etcd; it holds no code of ours.
package tools

import _ "go.etcd.io/etcd/server/v3"
