package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// operator is the program in a process of its own, with its real rights.
type operator struct {
	cmd             *exec.Cmd
	ended           chan struct{}
	health, metrics string
	log             string
	began           time.Time
	ready           time.Duration
}

// startOperator starts the operator and waits until it is ready.
func (b *bench) startOperator(ctx context.Context, p *plane) (*operator, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	o := &operator{health: addresses[0], metrics: addresses[1], log: filepath.Join(p.folder, "operator.log"), ended: make(chan struct{})}
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the operator's log: %w", err)
	}
	defer log.Close()
	o.cmd = exec.Command(b.program, "operator", "--kubeconfig", p.kubeconfig, "--workers", strconv.Itoa(b.workers),
		"--health-probe-bind-address", o.health, "--metrics-bind-address", o.metrics)
	o.cmd.Stdout, o.cmd.Stderr = log, log
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	o.began = time.Now()
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start operator: %w", err)
	}
	go func() {
		o.cmd.Wait()
		close(o.ended)
	}()
	err = b.until(ctx, "the operator is ready", 20*time.Millisecond, func() (bool, error) {
		_, err := fetch(ctx, "http://"+o.health+"/readyz")
		return err == nil, o.dead()
	})
	if err != nil {
		return nil, errors.Join(err, o.stop())
	}
	o.ready = time.Since(o.began)
	return o, nil
}

// dead says how the operator ended, if it did.
func (o *operator) dead() error {
	select {
	case <-o.ended:
		text, _ := os.ReadFile(o.log)
		return fmt.Errorf("run operator: %s\n%s", o.cmd.ProcessState, text[max(0, len(text)-2000):])
	default:
		return nil
	}
}

// stop ends the operator, gently at first.
func (o *operator) stop() error {
	if o == nil || o.dead() != nil {
		return nil
	}
	o.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-o.ended:
		return nil
	case <-time.After(10 * time.Second):
		err := o.cmd.Process.Kill()
		<-o.ended
		return err
	}
}

// freeAddresses are loopback addresses that nothing listens on.
func freeAddresses(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// fetch gets the text behind a URL.
func fetch(ctx context.Context, url string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: %s", url, response.Status)
	}
	var lines []string
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}

// figures are what an operator's metrics say.
type figures struct {
	reconciles, waiting, active float64
	changing                    float64 // requests other than GET, with dry-runs and tokens
}

func (o *operator) figures(ctx context.Context) (figures, error) {
	if err := o.dead(); err != nil {
		return figures{}, err
	}
	lines, err := fetch(ctx, "http://"+o.metrics+"/metrics")
	if err != nil {
		return figures{}, err
	}
	var f figures
	for _, line := range lines {
		name, text, _ := strings.Cut(line, " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.HasPrefix(line, "#") {
			continue
		}
		tenant := strings.Contains(name, `controller="tenant"`)
		switch {
		case tenant && strings.HasPrefix(name, "controller_runtime_reconcile_total{"):
			f.reconciles += value
		case tenant && strings.HasPrefix(name, "controller_runtime_active_workers{"):
			f.active += value
		case tenant && strings.HasPrefix(name, "workqueue_depth{"):
			f.waiting += value
		case strings.HasPrefix(name, "rest_client_requests_total{") && !strings.Contains(name, `method="GET"`):
			f.changing += value
		}
	}
	return f, nil
}
