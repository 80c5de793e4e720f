// Command deepstream-fast is the server: flags, signals and the exit code. Everything else is in
// package server. Stability: the command line is stable.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := newRoot(os.Stdout, os.Stderr).Execute(); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "deepstream-fast: "+err.Error())
		}
		os.Exit(exitCode(err))
	}
}
