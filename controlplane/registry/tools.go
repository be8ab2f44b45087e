//go:build tools

// Package tools pins the OCI registry; it holds no code of ours.
package tools

import _ "github.com/distribution/distribution/v3/cmd/registry"
