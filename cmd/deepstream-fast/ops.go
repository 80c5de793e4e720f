package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"deepstream-fast/server"
)

func newReload(stdout io.Writer) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "reload", Short: "Have the running server read its configuration again, and print what that changed",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadFor(file)
			if err != nil {
				return err
			}
			changed, err := server.AskReload(cfg)
			if err != nil {
				return err
			}
			for _, key := range slices.Concat(changed.Applied, changed.Reread) {
				fmt.Fprintln(stdout, "in effect now: "+key)
			}
			for _, key := range changed.Restart {
				fmt.Fprintln(stdout, "needs a restart: "+key)
			}
			if len(changed.Applied)+len(changed.Reread)+len(changed.Restart) == 0 {
				fmt.Fprintln(stdout, "nothing has changed")
			}
			return nil
		},
	}
	registerConfig(cmd, &file)
	return cmd
}

func newHealth(stdout io.Writer) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "health", Short: "Ask the running server whether it takes clients: exit code 0 if it does",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadFor(file)
			if err != nil {
				return err
			}
			if err := server.AskHealth(cmd.Context(), cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintln(stdout, "healthy")
			return err
		},
	}
	registerConfig(cmd, &file)
	return cmd
}

// complete offers values for a flag to the shell.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag, or twice: our mistake
	}
}
