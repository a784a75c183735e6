package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// attributes: a process of its own session, so that a Ctrl-C at the terminal reaches only the driver; an owned
// one dies with the driver, however that ends.
func attributes(owned bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if owned {
		a.Pdeathsig = syscall.SIGKILL
	}
	return a
}

// look tells when a process began, in ticks since the machine's boot, and whether it lives; a zombie does not.
func look(pid int) (began string, alive bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The name stands in parentheses and may hold anything: the rest begins after the last one.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return fields[19], fields[0] != "Z" && fields[0] != "X"
}
