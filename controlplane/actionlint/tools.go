//go:build tools

// Package tools pins actionlint; it holds no code of ours.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
