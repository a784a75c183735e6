// Command argocd is the part of Argo CD that a GitOps test needs, in one file: it looks at the name it is called by and runs
// the application controller, the repository server, the ApplicationSet controller, or the cache that all three share. Called
// as `judge`, it says of objects what Argo CD and kstatus, on which Flux stands, think of them. One link instead of many, and
// nothing is downloaded but source. It must hold no rule of its own: whatever judges here is Argo CD's or kstatus' code.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "argocd-application-controller":
		err = run(controller.NewCommand())
	case "argocd-applicationset-controller":
		err = run(applicationset.NewCommand())
	case "argocd-repo-server":
		err = run(reposerver.NewCommand())
	case "redis":
		err = redis(os.Args[1:])
	case "judge":
		err = judge(os.Args[1:])
	default:
		err = fmt.Errorf("called as %q, which is none of its names (see main.go)", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command *cobra.Command) error { return command.Execute() }

// redis serves the cache in memory, as Argo CD's own command line does where it has no server.
func redis(args []string) error {
	if len(args) != 1 {
		return errors.New("redis HOST:PORT")
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(args[0]); err != nil {
		return err
	}
	defer server.Close()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	return nil
}

// verdict is what the two say of one object.
type verdict struct {
	Kstatus string `json:"kstatus"`
	Health  string `json:"health"`
	Message string `json:"message"`
}

// judge reads objects as a JSON stream. Without arguments it prints a verdict for each, one a line; with the name of an action
// it prints each object as that action leaves it. The scripts are those of argocd-cm in the cluster of $KUBECONFIG.
func judge(args []string) error {
	overrides, err := customizations()
	if err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		object := &unstructured.Unstructured{}
		var text json.RawMessage
		if err := decoder.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		var said any
		if len(args) == 0 {
			said, err = verdictOn(object, overrides)
		} else {
			said, err = act(object, args[0], overrides)
		}
		if err != nil {
			return err
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
}

func customizations() (map[string]v1alpha1.ResourceOverride, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return settings.NewSettingsManager(context.Background(), client, "argocd").GetResourceOverrides()
}

func verdictOn(object *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	health, err := lua.ResourceHealthOverrides(overrides).GetResourceHealth(object)
	if err != nil {
		return verdict{}, err
	}
	if health == nil {
		return verdict{}, fmt.Errorf("argocd-cm has no health script for %s", object.GroupVersionKind())
	}
	return verdict{computed.Status.String(), string(health.Status), health.Message}, nil
}

func act(object *unstructured.Unstructured, name string, overrides map[string]v1alpha1.ResourceOverride) (any, error) {
	vm := lua.VM{ResourceOverrides: overrides}
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		return nil, err
	}
	offered, err := vm.ExecuteResourceActionDiscovery(object, scripts)
	if err != nil {
		return nil, err
	}
	for _, action := range offered {
		if action.Name == name && action.Disabled {
			return nil, fmt.Errorf("action %s is disabled", name)
		}
	}
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		return nil, err
	}
	changed, err := vm.ExecuteResourceAction(object, action.ActionLua, nil)
	if err != nil {
		return nil, err
	}
	if len(changed) != 1 {
		return nil, fmt.Errorf("action %s changes %d objects", name, len(changed))
	}
	return changed[0].UnstructuredObj, nil
}
