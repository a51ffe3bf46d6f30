package localcluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken below the range from which Linux gives ports to outgoing
// connections, so that one stays free while the cluster is down.
const (
	firstPort = 18000
	lastPort  = 32000
)

// ports are the loopback ports of the components, by name. They stay the same over
// restarts, so that a kubeconfig stays valid, unless another program took one.
type ports map[string]int

// pickPorts returns a port for each name: the kept one where it is free.
func pickPorts(kept ports, names []string) (ports, error) {
	picked, used := ports{}, map[int]bool{}
	for _, name := range names {
		if port := kept[name]; port != 0 && !used[port] && portFree(port) {
			picked[name], used[port] = port, true
		}
	}
	for _, name := range names {
		for try := 0; picked[name] == 0; try++ {
			if try == 1000 {
				return nil, fmt.Errorf("pick a port for %s: none of the loopback ports %d to %d is free", name, firstPort, lastPort)
			}
			port := firstPort + rand.IntN(lastPort-firstPort)
			if !used[port] && portFree(port) {
				picked[name], used[port] = port, true
			}
		}
	}
	return picked, nil
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
