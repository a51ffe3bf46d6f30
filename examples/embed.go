// Package examples holds the manifests to try Watertight with, so that an installed
// program can show them, too. It says nothing about what they mean; README.md does.
package examples

import "embed"

// Files are the examples: the folder shop, which holds, and the folder leaky, which
// does not.
//
//go:embed leaky shop
var Files embed.FS
