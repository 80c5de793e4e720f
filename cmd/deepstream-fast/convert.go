package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"deepstream-fast/config"
)

func newConvert(stdout, stderr io.Writer) *cobra.Command {
	target, force := "", false
	cmd := &cobra.Command{
		Use: "convert FILE", Short: "Make a configuration of the official server (YAML or JSON) one of this server",
		Long: "Make a configuration of the official server (YAML or JSON) one of this server, as TOML.\n" +
			"What is different now is told on standard error and in comments; nothing is written if the\n" +
			"result would not load.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			made, err := config.Convert(args[0], target, os.LookupEnv)
			if err != nil {
				return err
			}
			for _, note := range made.Notes {
				fmt.Fprintln(stderr, "note: "+note.Error())
			}
			if target == "" {
				_, err = io.WriteString(stdout, made.Text)
				return err
			}
			return writeNew(target, made.Text, force)
		},
	}
	cmd.Flags().StringVarP(&target, "output", "o", "", "file to write (.toml), which must not exist; default: standard output")
	cmd.Flags().BoolVar(&force, "force", false, "write it even if it exists")
	return cmd
}

// writeNew writes text to a file that must not exist, unless force is true. It may hold secrets, as the
// old one may, so that it is its owner's alone.
func writeNew(path, text string, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("convert: %s exists; --force overwrites it", path)
	}
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	return nil
}
