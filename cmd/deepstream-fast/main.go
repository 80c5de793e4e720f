// Command deepstream-fast is the server: flags, signals and the exit code. Everything else is in
// package server.
//
// # Invariants
//   - The exit code is 0 only if all that was asked for was done.
//   - Nothing here is known to another package.
//
// Cost: nothing on the way of a message runs here. Stability: the command line is stable.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := newRoot(os.Stdout, os.Stderr).ExecuteContext(context.Background()); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "deepstream-fast: "+err.Error())
		}
		os.Exit(exitCode(err))
	}
}
