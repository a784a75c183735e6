package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one member of the control plane: a child of ours, or one read from the pids file. The time it
// began tells it from a later process that was given the same id.
type process struct {
	name  string
	pid   int
	began string
	log   string
	done  chan struct{} // closed once a child was reaped; nil for one that was read
}

func (p *process) String() string { return fmt.Sprintf("%s (process %d)", p.name, p.pid) }

func (p *process) ended() bool {
	if p.done != nil {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}
	began, alive := look(p.pid)
	return !alive || began != p.began
}

func (p *process) signal(s syscall.Signal) {
	if !p.ended() {
		syscall.Kill(p.pid, s)
	}
}

// spawn starts a program with its output in a log. Its environment is bare: etcd takes settings from ETCD_*.
func (c cluster) spawn(name string, owned bool, args ...string) (*process, error) {
	file := c.path("logs", name+".log")
	log, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	cmd.SysProcAttr = attributes(owned)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: name, pid: cmd.Process.Pid, log: file, done: make(chan struct{})}
	p.began, _ = look(p.pid)
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// record writes the processes down, one a line: name, id, time of its beginning.
func (c cluster) record(children []*process) error {
	var lines strings.Builder
	for _, p := range children {
		fmt.Fprintf(&lines, "%s %d %s\n", p.name, p.pid, p.began)
	}
	return writeSecret(c.path("pids"), []byte(lines.String()))
}

func (c cluster) recorded() (all []*process) {
	text, _ := os.ReadFile(c.path("pids"))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		if pid, err := strconv.Atoi(fields[1]); err == nil && pid > 1 {
			all = append(all, &process{name: fields[0], pid: pid, began: fields[2], log: c.path("logs", fields[0]+".log")})
		}
	}
	return all
}

func living(all []*process) (alive []*process) {
	for _, p := range all {
		if !p.ended() {
			alive = append(alive, p)
		}
	}
	return alive
}

// kill ends the processes in the reverse order of their start, so that none loses what it leans on first:
// each is asked, and forced once the grace is over. It returns those that live on.
func kill(all []*process, grace time.Duration) (left []*process) {
	for i := len(all) - 1; i >= 0; i-- {
		p := all[i]
		if grace > 0 {
			p.signal(syscall.SIGTERM)
			wait(p, grace)
		}
		p.signal(syscall.SIGKILL)
	}
	for _, p := range all {
		if !wait(p, stopGrace) {
			left = append(left, p)
		}
	}
	return left
}

func wait(p *process, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(poll / 5) {
		if p.ended() {
			return true
		}
	}
	return p.ended()
}
