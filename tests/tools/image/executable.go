// Reads a binary, and judges whether it can stand alone in an image: the base has no loader and no C library. It looks
// at the file alone and runs nothing, so that it judges executables of other architectures, too.
package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A program for one platform.
type executable struct {
	platform v1.Platform
	content  []byte
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func readExecutable(platform, path string) (executable, error) {
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return executable{}, err
	}
	machine, known := machines[parsed.Architecture]
	if !known || parsed.OS != "linux" || parsed.Variant != "" {
		return executable{}, fmt.Errorf("%s is no platform of this image: linux/amd64 and linux/arm64 are", platform)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return executable{}, err
	}
	if err := standsAlone(content, machine); err != nil {
		return executable{}, fmt.Errorf("%s: %w", path, err)
	}
	return executable{*parsed, content}, nil
}

// standsAlone is an error where the program is for another machine or needs files that the image does not have.
func standsAlone(content []byte, machine elf.Machine) error {
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("is no ELF program: %w", err)
	}
	if program.Machine != machine {
		return fmt.Errorf("is for %s, not for %s", program.Machine, machine)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("needs a loader, which the image does not have: link it statically")
		}
	}
	libraries, err := program.ImportedLibraries()
	if err != nil {
		return err
	}
	if len(libraries) > 0 {
		return fmt.Errorf("needs %v, which the image does not have: link it statically", libraries)
	}
	return nil
}
