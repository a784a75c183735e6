// Command cluster starts and stops a Kubernetes control plane on loopback: etcd, kube-apiserver and
// kube-controller-manager, from the programs that lie beside it. No nodes: nothing runs Pods.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

const usage = `cluster start DIR                    start a cluster with its data in DIR, wait until it is ready, return
cluster stop [--rm] DIR              stop the cluster of DIR; --rm: remove DIR too
cluster run [--rm] DIR               start, print "ready KUBECONFIG", stay until stdin closes or a signal comes, stop
cluster sa-kubeconfig DIR NAMESPACE SERVICEACCOUNT OUT
                                     write a kubeconfig with that ServiceAccount's own token (2 h)
cluster bin                          print the folder that holds kubectl, helm and the control plane

DIR/admin.kubeconfig is the administrator's kubeconfig, DIR/logs what the processes said.
`

// A child that is told to die with its parent (PR_SET_PDEATHSIG) dies with the parent's thread, so children
// are started from the main thread, which lives as long as the process.
func init() { runtime.LockOSThread() }

func main() {
	args := os.Args[1:]
	rm := slices.Contains(args, "--rm")
	args = slices.DeleteFunc(args, func(a string) bool { return a == "--rm" })
	if err := dispatch(args, rm); err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func dispatch(args []string, rm bool) error {
	want := map[string]int{"start": 2, "stop": 2, "run": 2, "sa-kubeconfig": 5, "bin": 1}
	if len(args) == 0 || len(args) != want[args[0]] {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("wrong arguments")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := cluster{bin: filepath.Dir(self)}
	if args[0] == "bin" {
		fmt.Println(c.bin)
		return nil
	}
	if c.dir, err = filepath.Abs(args[1]); err != nil {
		return err
	}
	switch args[0] {
	case "start":
		_, err = c.start(false)
		return err
	case "stop":
		return c.stop(rm)
	case "run":
		return c.run(rm)
	default:
		return c.serviceAccountKubeconfig(args[2], args[3], args[4])
	}
}
