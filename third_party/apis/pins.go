//go:build pins

// Package apis pins modules of which only data files are read (generated.proto, CRDs): "go mod tidy" would drop them.
package apis

import (
	_ "k8s.io/api/core/v1"
	_ "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
