// Package api is the parent of the API versions; it only says how their generated
// parts (deep copies and CRDs) are made.
package api

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 object paths=./... crd:maxDescLen=400 output:crd:artifacts:config=../config/crd
