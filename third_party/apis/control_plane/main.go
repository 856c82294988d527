// Command control_plane writes the descriptors of the kinds that only plaitd and the command line read. What the
// data plane's set has already is taken from there (see ../build).
package main

import (
	"plait.dev/third_party/apis/descriptors"

	_ "istio.io/api/analysis/v1alpha1"
	_ "istio.io/api/extensions/v1alpha1"
	_ "istio.io/api/mesh/v1alpha1"
	_ "istio.io/api/meta/v1alpha1"
	_ "istio.io/api/networking/v1alpha3"
	_ "istio.io/api/networking/v1beta1"
	_ "istio.io/api/security/v1beta1"
	_ "istio.io/api/telemetry/v1alpha1"
	_ "istio.io/api/type/v1beta1"
)

func main() { descriptors.Main() }
