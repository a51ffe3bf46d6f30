// Package config holds the manifests that "watertight install" applies: the CRDs, which
// are generated, and the classes that Watertight ships.
package config

import "embed"

// CRDs are the generated CustomResourceDefinitions, in the folder crd.
//
//go:embed crd/*.yaml
var CRDs embed.FS

// Classes are the shipped TenantClasses, in the folder classes.
//
//go:embed classes/*.yaml
var Classes embed.FS
