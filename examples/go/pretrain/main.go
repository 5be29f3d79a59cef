// A folder of photographs in; the built-in detector, trained on them without labels, out. Interrupt it
// and start it again: it goes on.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	simdetr "github.com/libsimdetr/libsimdetr/bindings/go"
)

func run(ctx context.Context, photos, folder, document string) error {
	config := []byte{}
	if document != "" {
		var err error
		if config, err = os.ReadFile(document); err != nil {
			return err
		}
	}
	trainer, err := simdetr.NewTrainer(simdetr.TrainerOptions{Preset: "tiny", Config: string(config)})
	if err != nil {
		return err
	}
	defer trainer.Close()
	shown := ""
	labels, err := trainer.Pretrain(ctx, photos, folder, "", func(step string, done, total uint64) int32 {
		if text := fmt.Sprintf("%s %d%%", step, done*100/max(total, 1)); text != shown {
			shown = text
			fmt.Fprintln(os.Stderr, text)
		}
		return 0
	})
	if errors.Is(err, simdetr.ErrCancelled) {
		return fmt.Errorf("stopped; start again to go on: %w", err)
	}
	if err != nil {
		return err
	}
	for stage, set := range labels {
		fmt.Printf("T%d: %d images, %d boxes\n", stage, set.Images, set.Boxes)
	}
	return nil
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: pretrain PHOTOS RUN [CONFIG.toml]")
		os.Exit(2)
	}
	document := ""
	if len(os.Args) == 4 {
		document = os.Args[3]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], document); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
