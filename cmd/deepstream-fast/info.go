package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// Set by the linker: see the Makefile.
var (
	version   = "0.1.0-dev"
	commit    = "unknown"
	buildTime = "unknown"
)

// drivers are the replaceable parts compiled in, by kind.
var drivers = map[string][]string{
	"auth":       {"none", "file", "http", "storage", "jwt"},
	"permission": {"none", "config"},
	"endpoint":   {"ws-binary", "http"},
	"monitoring": {"none", "http", "log"},
	"logger":     {"default", "json"},
	"cache":      {"default"},
	"storage":    {"default", "none"},
}

func newVersion(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(stdout, "deepstream-fast %s (commit %s, built %s, %s)\n", version, commit, buildTime, runtime.Version())
			return err
		},
	}
}

func newInfo(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Print version, build and compiled-in drivers as JSON", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			enc := json.NewEncoder(stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(map[string]any{
				"version": version, "commit": commit, "buildTime": buildTime,
				"goVersion": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				"drivers": drivers,
			})
		},
	}
}
