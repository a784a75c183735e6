// What an image may be made of, what is in it, and that the same input gives the same bytes. The programs here are ELF
// headers without code: nothing runs them.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"golang.org/x/net/dns/dnsmessage"
)

var july = release{version: "1.2.3", revision: "0123abc", created: time.Unix(1783000000, 0).UTC(), license: []byte("terms\n")}

// elfFile is a program of one segment, of the kind given.
func elfFile(t *testing.T, machine elf.Machine, segment elf.ProgType) string {
	t.Helper()
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	var content bytes.Buffer
	for _, part := range []any{header, elf.Prog64{Type: uint32(segment)}} {
		if err := binary.Write(&content, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatCannotStandAloneIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		platform string
		machine  elf.Machine
		segment  elf.ProgType
		refusal  string
	}{
		"a static program for amd64":                 {"linux/amd64", elf.EM_X86_64, elf.PT_LOAD, ""},
		"a static program for arm64":                 {"linux/arm64", elf.EM_AARCH64, elf.PT_LOAD, ""},
		"a program that asks for a loader":           {"linux/amd64", elf.EM_X86_64, elf.PT_INTERP, "link it statically"},
		"a program for another machine":              {"linux/arm64", elf.EM_X86_64, elf.PT_LOAD, "is for EM_X86_64, not for EM_AARCH64"},
		"a platform that no image is made for":       {"linux/riscv64", elf.EM_RISCV, elf.PT_LOAD, "is no platform of this image"},
		"another operating system":                   {"windows/amd64", elf.EM_X86_64, elf.PT_LOAD, "is no platform of this image"},
		"a variant, which would not be what is said": {"linux/arm64/v9", elf.EM_AARCH64, elf.PT_LOAD, "is no platform of this image"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readExecutable(row.platform, elfFile(t, row.machine, row.segment))
			if row.refusal == "" && err != nil || row.refusal != "" && (err == nil || !strings.Contains(err.Error(), row.refusal)) {
				t.Fatalf("got %v, want %q", err, row.refusal)
			}
		})
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readExecutable("linux/amd64", path); err == nil || !strings.Contains(err.Error(), "is no ELF program") {
		t.Fatalf("got %v", err)
	}
}

// packed is a layout of both platforms.
func packed(t *testing.T) (folder, report string) {
	t.Helper()
	var programs []executable
	for _, architecture := range []string{"amd64", "arm64"} {
		read, err := readExecutable("linux/"+architecture, elfFile(t, machines[architecture], elf.PT_LOAD))
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, read)
	}
	folder = filepath.Join(t.TempDir(), "layout")
	report, err := pack(folder, july, programs)
	if err != nil {
		t.Fatal(err)
	}
	return folder, report
}

func TestTheSameProgramsGiveTheSameBytes(t *testing.T) {
	_, first := packed(t)
	_, second := packed(t)
	if first != second {
		t.Fatalf("two packs differ:\n%s\n%s", first, second)
	}
}

func TestAFolderThatIsThereIsNotWrittenInto(t *testing.T) {
	folder, _ := packed(t)
	if _, err := pack(folder, july, nil); err == nil {
		t.Fatal("it was written into")
	}
}

func TestAnImageSaysWhatItIsAndRunsAsNobodyOfWeight(t *testing.T) {
	folder, report := packed(t)
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest.String() != strings.SplitN(report, "\n", 2)[0] {
		t.Fatalf("the layout does not hold the one index that was told: %v", manifest.Manifests)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := imageFor(index, v1.Platform{OS: "linux", Architecture: architecture})
		if err != nil || image == nil {
			t.Fatalf("%s: %v", architecture, err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != architecture || config.Config.User != "65532:65532" || config.Config.Entrypoint[0] != program ||
			config.Config.Labels["org.opencontainers.image.version"] != "1.2.3" || !config.Created.Time.Equal(july.created) {
			t.Fatalf("%s: %+v", architecture, config)
		}
	}
}

func TestThereIsNothingInItBesideTheProgramAndWhatItNeeds(t *testing.T) {
	folder, _ := packed(t)
	var archive bytes.Buffer
	if err := rootfs(folder, "linux/arm64", &archive); err != nil {
		t.Fatal(err)
	}
	var names []string
	reader := tar.NewReader(&archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			names = append(names, header.Name)
		}
		if header.Name == certificates {
			text, err := io.ReadAll(reader)
			if err != nil || !x509.NewCertPool().AppendCertsFromPEM(text) {
				t.Fatalf("no certificates are in it: %v", err)
			}
		}
		if writable := header.Mode&0o022 != 0; writable && strings.TrimSuffix(header.Name, "/") != "tmp" {
			t.Fatalf("%s can be written by everybody", header.Name)
		}
	}
	wanted := map[string]bool{"etc/group": true, "etc/passwd": true, "licenses/LICENSE": true, certificates: true, program[1:]: true}
	if len(names) != len(wanted) {
		t.Fatalf("files: %v", names)
	}
	for _, name := range names {
		if !wanted[name] {
			t.Fatalf("files: %v", names)
		}
	}
	if err := rootfs(folder, "linux/s390x", io.Discard); err == nil {
		t.Fatal("a platform that is not in it has files")
	}
}

func TestOneNameIsResolvedAndNoOther(t *testing.T) {
	for name, row := range map[string]struct {
		asked   string
		kind    dnsmessage.Type
		code    dnsmessage.RCode
		answers int
	}{
		"the name has an address":     {"Kubernetes.Test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		"it has none of IPv6":         {"kubernetes.test.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0},
		"another name does not exist": {"other.test.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0},
	} {
		t.Run(name, func(t *testing.T) {
			message := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(row.asked), Type: row.kind, Class: dnsmessage.ClassINET}},
			}
			question, err := message.Pack()
			if err != nil {
				t.Fatal(err)
			}
			packed, err := answer(question, "kubernetes.test")
			if err != nil {
				t.Fatal(err)
			}
			var reply dnsmessage.Message
			if err := reply.Unpack(packed); err != nil {
				t.Fatal(err)
			}
			if reply.ID != 7 || reply.RCode != row.code || len(reply.Answers) != row.answers {
				t.Fatalf("got %+v", reply)
			}
		})
	}
}
