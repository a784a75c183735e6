// Makes the image of each platform, the index over them, and the layout on disk. Nothing in it depends on when or where it
// runs.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What is released: it stands in the image's labels.
type release struct {
	version, revision, source string
	created                   time.Time
	license                   []byte
}

func (r release) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":       "mlops-operator",
		"org.opencontainers.image.description": "A Kubernetes operator that keeps MLOps projects in AWS and Jenkins as declared",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
	if r.source != "" {
		labels["org.opencontainers.image.source"] = r.source
	}
	return labels
}

// pack writes the layout into a folder that must not exist, and tells what is in it.
func pack(folder string, release release, executables []executable) (string, error) {
	if _, err := os.Stat(folder); err == nil {
		return "", fmt.Errorf("%s is there already", folder)
	}
	var report strings.Builder
	index := v1.ImageIndex(mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	for _, each := range executables {
		image, err := imageOf(release, each)
		if err != nil {
			return "", err
		}
		digest, err := image.Digest()
		if err != nil {
			return "", err
		}
		compressed, err := sizeOf(image)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&report, "%s %s %d %d\n", each.platform.String(), digest, compressed, len(each.content))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &each.platform},
		})
	}
	index = mutate.Annotations(index, release.labels()).(v1.ImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return "", err
	}
	if err := written.AppendIndex(index); err != nil {
		return "", err
	}
	return digest.String() + "\n" + report.String(), nil
}

func imageOf(release release, each executable) (v1.Image, error) {
	entries, err := base(release.license)
	if err != nil {
		return nil, err
	}
	below, err := layer(entries)
	if err != nil {
		return nil, err
	}
	above, err := layer([]entry{{name: program[1:], mode: 0o755, content: each.content}})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: release.created}
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: below, History: v1.History{Created: created, CreatedBy: "users, certificates, folders"}},
		mutate.Addendum{Layer: above, History: v1.History{Created: created, CreatedBy: program}},
	)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = each.platform.OS, each.platform.Architecture
	config.Created = created
	config.Config = v1.Config{
		User: nonroot, WorkingDir: "/home/nonroot", Entrypoint: []string{program}, Cmd: []string{"run"},
		Env: []string{"PATH=/usr/local/bin"}, Labels: release.labels(),
		ExposedPorts: map[string]struct{}{"8081/tcp": {}},
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, release.labels()).(v1.Image), nil
}

// sizeOf is what a node pulls: the layers, compressed, and the configuration.
func sizeOf(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, each := range manifest.Layers {
		size += each.Size
	}
	return size, nil
}

// rootfs writes the files of a platform's image as a tar archive.
func rootfs(folder, platform string, to io.Writer) error {
	wanted, err := v1.ParsePlatform(platform)
	if err != nil {
		return err
	}
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return err
	}
	for _, each := range manifest.Manifests {
		inner, err := outer.ImageIndex(each.Digest)
		if err != nil {
			return err
		}
		found, err := imageFor(inner, *wanted)
		if err != nil {
			return err
		}
		if found != nil {
			files := mutate.Extract(found)
			defer files.Close()
			_, err := io.Copy(to, files)
			return err
		}
	}
	return fmt.Errorf("%s has no image for %s", folder, platform)
}

// imageFor is the image of an index for a platform, if there is one.
func imageFor(index v1.ImageIndex, platform v1.Platform) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, each := range manifest.Manifests {
		if match.Platforms(platform)(each) {
			return index.Image(each.Digest)
		}
	}
	return nil, nil
}
