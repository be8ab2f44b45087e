//go:build tools

// Package tools pins Helm; it holds no code of ours.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
