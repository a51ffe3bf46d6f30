package devices

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// nvidiaHandlers are runtimes that give a container the devices its environment names
// (NVIDIA Container Toolkit: nvidia-ctk runtime configure).
var nvidiaHandlers = []string{"nvidia", "nvidia-cdi", "nvidia-legacy", "nvidia-experimental", "nvidia-container-runtime"}

// bypass judges GPU-2 for one pod.
func (j *judge) bypass(p *corev1.Pod) {
	have := j.sandboxes.Of(p)
	if slices.Contains(nvidiaHandlers, have.Handler) || have.Handler == "" && slices.Contains(nvidiaHandlers, have.Class) {
		j.taken(p, "NvidiaRuntime", "spec.runtimeClassName", have.Detail+" gives a container whichever devices its environment names", "choose the class's sandbox")
	}
	for _, note := range slices.Sorted(maps.Keys(p.Annotations)) {
		if strings.HasPrefix(note, "cdi.k8s.io/") {
			j.taken(p, "CDIAnnotation", "metadata.annotations["+note+"]", "names devices to the container runtime", "remove the annotation")
		}
	}
	j.paths(p)
	for _, c := range analyze.Containers(p) {
		if c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged {
			j.taken(p, "Privileged", c.Field+".securityContext.privileged", "gives the container every device of the node", "set it to false")
		}
		j.environment(p, c, have)
	}
}

func (j *judge) taken(p *corev1.Pod, reason, field, detail, fix string) {
	j.ledger.Break(guarantee.GPU2, reason, fmt.Sprintf("%s, %s, %s: %s", name(p), field, detail, fix), analyze.About(j.snapshot, p, field, detail))
}

// The variables that NVIDIA's runtime reads (NVIDIA Container Toolkit: Environment
// variables). Whether it believes an unprivileged container is a setting of the node.
const (
	visible      = "NVIDIA_VISIBLE_DEVICES"
	capabilities = "NVIDIA_DRIVER_CAPABILITIES"
)

// reconfigures are variables that give a container control of what others use.
var reconfigures = []string{"NVIDIA_MIG_CONFIG_DEVICES", "NVIDIA_MIG_MONITOR_DEVICES", "NVIDIA_IMEX_CHANNELS"}

// environment judges a container's variables, as the spec gives them.
func (j *judge) environment(p *corev1.Pod, c analyze.Container, have sandbox.Sandbox) {
	decided := false
	for i, e := range c.Env {
		field := fmt.Sprintf("%s.env[%d]", c.Field, i)
		relevant := e.Name == visible || e.Name == capabilities || slices.Contains(reconfigures, e.Name)
		switch {
		case !relevant:
		case e.ValueFrom != nil:
			j.ledger.Doubt(guarantee.GPU2, "ValueNotKnown", fmt.Sprintf("%s, %s, sets %s to a value from elsewhere: write it out or remove it", name(p), field, e.Name), analyze.About(j.snapshot, p, field, "takes "+e.Name+" from elsewhere"))
		case e.Name == visible && slices.Contains([]string{"", "void", "none"}, e.Value):
			decided = true
		case e.Name == capabilities && modest(e.Value):
		case e.Name == capabilities:
			j.taken(p, "DriverCapabilities", field, fmt.Sprintf("asks for driver capabilities %q", e.Value), "ask for compute and utility only")
		case e.Name == visible:
			decided = true
			j.taken(p, "VisibleDevices", field, fmt.Sprintf("asks the runtime for devices %q past the allocation", e.Value), "remove the variable, and ask by resources or a claim")
		default:
			j.taken(p, "DeviceControl", field, "asks for control of devices", "remove the variable")
		}
	}
	// An image may set the variable itself, and a sandbox reads none of it; a device
	// plugin sets its own where the container asks for a device.
	if have.Kind != sandbox.None || decided || asksNvidia(c) {
		return
	}
	j.ledger.Doubt(guarantee.GPU2, "ImageMayName", fmt.Sprintf("%s: the image of container %s may set %s, and the node may give it the devices: run the pod behind a sandbox, or set the variable to void", name(p), c.Name, visible),
		analyze.About(j.snapshot, p, c.Field+".env", "does not set "+visible))
}

func asksNvidia(c analyze.Container) bool {
	for r := range c.Resources.Limits {
		if vendor(string(r)) == "nvidia.com" {
			return true
		}
	}
	return len(c.Resources.Claims) > 0
}

// modest reports whether driver capabilities are those that computing needs.
func modest(value string) bool {
	for c := range strings.SplitSeq(value, ",") {
		if c = strings.TrimSpace(c); c != "" && c != "compute" && c != "utility" {
			return false
		}
	}
	return true
}

// devicePaths are the places of a node by which a container gets a device: device nodes,
// the plugin's sockets, CDI's files, and the path by which mounts name devices to
// NVIDIA's runtime.
var devicePaths = []string{
	"/dev/dri", "/dev/kfd", "/dev/vfio", "/dev/dxg", "/dev/accel", "/dev/nvidia-caps", "/run/nvidia-container-devices",
	"/run/nvidia", "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/pod-resources", "/etc/cdi", "/run/cdi",
}

func opensDevice(p string) bool {
	p = path.Clean("/" + p)
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		p = "/run/" + rest
	}
	inside := func(a, b string) bool { return b == "/" || a == b || strings.HasPrefix(a, b+"/") }
	return strings.HasPrefix(p, "/dev/nvidia") || slices.ContainsFunc(devicePaths, func(d string) bool { return inside(p, d) || inside(d, p) })
}

// paths judges hostPath volumes, by a claim too, and where containers mount.
func (j *judge) paths(p *corev1.Pod) {
	for i, v := range p.Spec.Volumes {
		switch {
		case v.HostPath != nil && opensDevice(v.HostPath.Path):
			j.taken(p, "DevicePath", fmt.Sprintf("spec.volumes[%d].hostPath", i), "is "+v.HostPath.Path+", which gives devices of the node", "remove the volume")
		case v.PersistentVolumeClaim != nil:
			if at, where := j.volumePath(p.Namespace, v.PersistentVolumeClaim.ClaimName); opensDevice(where) && where != "" {
				j.taken(p, "DevicePath", fmt.Sprintf("spec.volumes[%d].persistentVolumeClaim", i), "is bound to "+at+" at "+where+", which gives devices of the node", "bind another volume")
			}
		}
	}
	for _, c := range analyze.Containers(p) {
		for i, m := range c.VolumeMounts {
			if strings.HasPrefix(path.Clean(m.MountPath)+"/", "/var/run/nvidia-container-devices/") {
				j.taken(p, "DeviceMount", fmt.Sprintf("%s.volumeMounts[%d].mountPath", c.Field, i), "names a device to NVIDIA's runtime", "mount the volume elsewhere")
			}
		}
	}
}

// volumePath is the hostPath of the volume that a claim is bound to.
func (j *judge) volumePath(namespace, claim string) (volume, where string) {
	for _, pv := range j.snapshot.PersistentVolumes {
		c := pv.Spec.ClaimRef
		if c != nil && c.Namespace == namespace && c.Name == claim && pv.Spec.HostPath != nil {
			return snapshot.KeyOf(pv).String(), pv.Spec.HostPath.Path
		}
	}
	return "", ""
}
