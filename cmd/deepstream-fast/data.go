package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"deepstream-fast/config"
	"deepstream-fast/server"
)

func newBackup(stdout io.Writer) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "backup DIR", Short: "Copy the data folder into DIR, which must not exist, while the server runs or not",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := loadFor(file)
			if err != nil {
				return err
			}
			if err := server.Backup(cfg, args[0], slog.New(slog.DiscardHandler)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "backup made in %s\n", args[0])
			return err
		},
	}
	registerConfig(cmd, &file)
	return cmd
}

func newCheck(stdout io.Writer) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "check [DIR]", Short: "Verify the data folder, or a backup in DIR, that no server has open",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := loadFor(file)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				cfg.Storage.Type, cfg.Dir, cfg.Storage.Options.Path = "default", "", args[0]
			}
			dir, r, err := server.CheckData(cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "%s is sound: %d records of %d bytes, %d tombstones\n", dir, r.Records, r.DataBytes, r.Tombstones)
			return err
		},
	}
	registerConfig(cmd, &file)
	return cmd
}

func registerConfig(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration file (.toml, .yml, .yaml or .json)")
	if err := cmd.MarkFlagFilename("config", "toml", "yml", "yaml", "json"); err != nil {
		panic(err) // there is no such flag: our mistake
	}
}

// loadFor reads the configuration that tells where the data is.
func loadFor(file string) (*config.Config, error) {
	path, err := config.Find(file, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	return config.Load(path, os.LookupEnv)
}
