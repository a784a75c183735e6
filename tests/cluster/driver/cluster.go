package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second
	stopGrace  = 10 * time.Second
	poll       = 50 * time.Millisecond
	attempts   = 5 // at finding free ports
)

// errPortTaken: another process took a port between our look and the child's bind.
var errPortTaken = errors.New("a port was taken by another process")

type cluster struct {
	bin string // the folder of the programs
	dir string // the folder of this cluster
}

func (c cluster) path(name ...string) string {
	return filepath.Join(append([]string{c.dir}, name...)...)
}

func (c cluster) kubeconfig() string { return c.path("admin.kubeconfig") }

// start brings the control plane up and returns its processes. With owned they die with this one.
func (c cluster) start(owned bool) ([]*process, error) {
	if alive := living(c.recorded()); len(alive) > 0 {
		return nil, fmt.Errorf("%s holds a running cluster (%s); stop it first", c.dir, alive[0])
	}
	for _, folder := range []string{c.dir, c.path("logs"), c.path("certs")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	if err := c.writeServiceAccountKey(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		children, err := c.attempt(ctx, owned)
		if err == nil {
			return children, nil
		}
		kill(children, 0)
		os.Remove(c.path("pids"))
		if !errors.Is(err, errPortTaken) || attempt == attempts {
			return nil, err
		}
	}
}

// attempt starts the three processes one after the other, each once the one below it answers.
func (c cluster) attempt(ctx context.Context, owned bool) (children []*process, err error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	etcdURL, peerURL := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	server := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	token := randomToken()
	if err := writeSecret(c.path("tokens.csv"), []byte(token+",admin,admin,system:masters\n")); err != nil {
		return nil, err
	}

	launch := func(name string, args ...string) error {
		p, err := c.spawn(name, owned, args...)
		if err != nil {
			return err
		}
		children = append(children, p)
		return c.record(children)
	}
	await := func(what string, ready func() bool) error {
		for !ready() {
			for _, p := range children {
				if p.ended() {
					return c.died(p)
				}
			}
			select {
			case <-ctx.Done():
				last := children[len(children)-1]
				return fmt.Errorf("%s not seen within %s; the last lines of %s:\n%s", what, startLimit, last.log, tail(last.log))
			case <-time.After(poll):
			}
		}
		return nil
	}

	if err := launch("etcd", "--data-dir", c.path("etcd"), "--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default="+peerURL,
		"--unsafe-no-fsync", "--log-level", "error"); err != nil {
		return children, err
	}
	if err := await("etcd's health", func() bool { return answers(etcdURL+"/health", "", nil) }); err != nil {
		return children, err
	}
	if err := launch("kube-apiserver", "--etcd-servers", etcdURL, "--secure-port", fmt.Sprint(ports[2]), "--bind-address", "127.0.0.1",
		"--cert-dir", c.path("certs"), "--service-cluster-ip-range", "10.0.0.0/24",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", c.path("sa.key"),
		"--service-account-signing-key-file", c.path("sa.key"), "--token-auth-file", c.path("tokens.csv"),
		"--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"); err != nil {
		return children, err
	}
	var ca []byte
	err = await("the API server's readiness", func() bool {
		// Read anew each time: the server writes its certificate while it starts.
		ca, _ = os.ReadFile(c.path("certs", "apiserver.crt"))
		return len(ca) > 0 && answers(server+"/readyz", token, ca)
	})
	if err != nil {
		return children, err
	}
	if err := writeSecret(c.kubeconfig(), renderKubeconfig(server, ca, "admin", token, "default")); err != nil {
		return children, err
	}
	if err := launch("kube-controller-manager", "--kubeconfig", c.kubeconfig(), "--leader-elect=false", "--secure-port", "0",
		"--service-account-private-key-file", c.path("sa.key"),
		"--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,clusterrole-aggregation-controller"); err != nil {
		return children, err
	}
	return children, await("the controller manager's work (ServiceAccount default/default)", func() bool {
		return answers(server+"/api/v1/namespaces/default/serviceaccounts/default", token, ca)
	})
}

// run is start and stop in one process, for a test that owns the cluster as its child.
func (c cluster) run(rm bool) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that goes away must not end us by SIGPIPE before the children are stopped.
	signal.Ignore(syscall.SIGPIPE)
	children, err := c.start(true)
	if err != nil {
		return err
	}
	fmt.Printf("ready %s\n", c.kubeconfig())

	closed := make(chan struct{})
	go func() {
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		close(closed)
	}()
	lost := make(chan *process, len(children))
	for _, p := range children {
		go func() {
			<-p.done
			lost <- p
		}()
	}
	var failure error
	select {
	case <-closed:
	case <-signals:
	case p := <-lost:
		failure = c.died(p)
	}
	kill(children, 0)
	os.Remove(c.path("pids"))
	if rm && failure == nil {
		return os.RemoveAll(c.dir)
	}
	return failure
}

// stop ends the recorded processes and no others.
func (c cluster) stop(rm bool) error {
	if _, err := os.Stat(c.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// Only a folder that start has made is ever removed.
	if _, err := os.Stat(c.path("tokens.csv")); err != nil {
		return fmt.Errorf("%s is no cluster's folder: it holds no tokens.csv", c.dir)
	}
	grace := stopGrace
	if rm {
		grace = 0 // nobody will read the data again
	}
	if left := kill(c.recorded(), grace); len(left) > 0 {
		return fmt.Errorf("%s did not end", left[0])
	}
	if rm {
		return os.RemoveAll(c.dir)
	}
	os.Remove(c.path("pids"))
	return nil
}

// serviceAccountKubeconfig lets a process act as a ServiceAccount, under that account's own rules.
func (c cluster) serviceAccountKubeconfig(namespace, account, out string) error {
	admin, err := os.ReadFile(c.kubeconfig())
	if err != nil {
		return fmt.Errorf("no cluster in %s: %w", c.dir, err)
	}
	server, ca, err := readKubeconfig(admin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	create := exec.CommandContext(ctx, filepath.Join(c.bin, "kubectl"), "--kubeconfig", c.kubeconfig(),
		"create", "token", account, "--namespace", namespace, "--duration=2h")
	create.Stderr = os.Stderr
	token, err := create.Output()
	if err != nil {
		return fmt.Errorf("no token for ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return writeSecret(out, renderKubeconfig(server, ca, account, strings.TrimSpace(string(token)), namespace))
}

// died explains a child that ended by itself.
func (c cluster) died(p *process) error {
	said := tail(p.log)
	if strings.Contains(said, "address already in use") {
		return errPortTaken
	}
	return fmt.Errorf("%s ended by itself; the last lines of %s:\n%s", p, p.log, said)
}

// freePorts holds all of them at once, so that they differ.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// tail returns the last lines of a log.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > 20 {
		lines = lines[len(lines)-20:]
	}
	return strings.Join(lines, "\n")
}
