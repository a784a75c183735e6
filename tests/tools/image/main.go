// Packs the operator's binaries into an OCI image layout, and gives an image's files back. It stands alone since no
// container engine is needed for that, and has its own module so that nothing of the operator depends on it.
// It must not read the clock, the network or anything that is not named on its command line: the same binaries give
// the same bytes on any machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

const usage = `usage:
  image pack --to FOLDER --version V --revision COMMIT --created SECONDS --license FILE
             [--source URL] OS/ARCHITECTURE=BINARY...
      writes an OCI image layout, and prints the index' digest, then a line for each platform: name, digest, bytes
      compressed, bytes of the binary
  image rootfs --from FOLDER --platform OS/ARCHITECTURE
      writes the files of an image of that layout to standard output, as a tar archive
  image resolve NAME
      answers DNS questions on 127.0.0.1:53: NAME is 127.0.0.1, and no other name exists`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("no command\n" + usage)
	}
	switch command, rest := arguments[0], arguments[1:]; command {
	case "pack":
		return packCommand(rest)
	case "rootfs":
		return rootfsCommand(rest)
	case "resolve":
		if len(rest) != 1 {
			return errors.New("resolve takes one name\n" + usage)
		}
		return resolve("127.0.0.1:53", rest[0])
	default:
		return fmt.Errorf("there is no command %q\n%s", command, usage)
	}
}

func packCommand(arguments []string) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	to := flags.String("to", "", "folder to write")
	created := flags.Int64("created", 0, "seconds since 1970")
	var release release
	flags.StringVar(&release.version, "version", "", "version of the operator")
	flags.StringVar(&release.revision, "revision", "", "commit")
	license := flags.String("license", "", "licence that the image carries")
	flags.StringVar(&release.source, "source", "", "where the sources are")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *to == "" || release.version == "" || release.revision == "" || *created <= 0 || *license == "" || flags.NArg() == 0 {
		return errors.New("pack needs --to, --version, --revision, --created, --license and a binary\n" + usage)
	}
	text, err := os.ReadFile(*license)
	if err != nil {
		return err
	}
	release.license = text
	release.created = time.Unix(*created, 0).UTC()
	var executables []executable
	for _, argument := range flags.Args() {
		platform, path, found := strings.Cut(argument, "=")
		if !found {
			return fmt.Errorf("%q is not OS/ARCHITECTURE=BINARY", argument)
		}
		read, err := readExecutable(platform, path)
		if err != nil {
			return err
		}
		executables = append(executables, read)
	}
	report, err := pack(*to, release, executables)
	if err != nil {
		return err
	}
	fmt.Print(report)
	return nil
}

func rootfsCommand(arguments []string) error {
	flags := flag.NewFlagSet("rootfs", flag.ContinueOnError)
	from := flags.String("from", "", "folder of the layout")
	platform := flags.String("platform", "", "which image of it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *from == "" || *platform == "" || flags.NArg() != 0 {
		return errors.New("rootfs needs --from and --platform\n" + usage)
	}
	return rootfs(*from, *platform, os.Stdout)
}
