//go:build tools

// Package tools pins kind; it holds no code of ours.
package tools

import _ "sigs.k8s.io/kind"
