package sandbox

import "testing"

// TestHandlers: what a runtime handler's name says, and that a look-alike says nothing.
func TestHandlers(t *testing.T) {
	for handler, want := range map[string]Kind{
		"runsc": GVisor, "gvisor": GVisor, "runsc-kvm": GVisor, "kata": Kata, "kata-qemu": Kata, "kata-clh": Kata,
		"kata-fc": Firecracker, "firecracker": Firecracker, "aws.firecracker": Firecracker,
		"runc": None, "crun": None, "": None, "katana": None, "runscx": None, "nvidia": None, "my-kata": None,
	} {
		if got := kindOf(handler); got != want {
			t.Errorf("handler %q is sandbox %d, want %d", handler, got, want)
		}
	}
	if GVisor.VM() || None.VM() || !Kata.VM() || !Firecracker.VM() {
		t.Error("virtual machines are Kata's and Firecracker's only")
	}
}
