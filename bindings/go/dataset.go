package simdetr

import (
	"context"
	"iter"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// Store is a folder of proposals, opened for reading.
type Store struct{ handle *handle[*capi.Store] }

// OpenStore opens a store.
func OpenStore(path string) (*Store, error) {
	raw, failure := capi.OpenStore(path)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Store{newHandle(raw, capi.DestroyStore)}, nil
}

// Close ends the handle; nothing on disk is removed.
func (s *Store) Close() { s.handle.close() }

// Counts answers how many images and proposals the store holds.
func (s *Store) Counts() (images, proposals uint64, err error) {
	err = s.handle.use(func(raw *capi.Store) error {
		var failure *capi.Error
		images, proposals, failure = capi.StoreCounts(raw)
		return convert(failure)
	})
	return images, proposals, err
}

// StoredImage is one image of a store.
type StoredImage struct {
	Path          string
	Width, Height uint32
	Proposals     Proposals
}

// Read reads one image, counted from 0.
func (s *Store) Read(index uint64) (StoredImage, error) {
	var image StoredImage
	err := s.handle.use(func(raw *capi.Store) error {
		out, failure := capi.NewProposals()
		if failure != nil {
			return convert(failure)
		}
		defer capi.DestroyProposals(out)
		if image.Path, image.Width, image.Height, failure = capi.ReadStore(raw, index, out); failure != nil {
			return convert(failure)
		}
		image.Proposals, failure = capi.CopyProposals(out)
		return convert(failure)
	})
	return image, err
}

// All goes through the images in order and ends after the first error. The images are copies.
func (s *Store) All() iter.Seq2[StoredImage, error] {
	return func(yield func(StoredImage, error) bool) {
		count, _, err := s.Counts()
		if err != nil {
			yield(StoredImage{}, err)
			return
		}
		for index := range count {
			image, err := s.Read(index)
			if !yield(image, err) || err != nil {
				return
			}
		}
	}
}

// ClustererOptions configure a Clusterer; zero fields are the library's defaults.
type ClustererOptions struct {
	Classes uint32
	Seed    uint64
	Threads uint32
}

// Clusterer finds pseudo-classes. One goroutine at a time may fit; assigning may be shared.
type Clusterer struct{ handle *handle[*capi.Clusterer] }

// NewClusterer makes a clusterer without centroids.
func NewClusterer(options ClustererOptions) (*Clusterer, error) {
	raw, failure := capi.NewClusterer(options.Classes, options.Seed, options.Threads)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Clusterer{newHandle(raw, capi.DestroyClusterer)}, nil
}

// Close ends the clusterer.
func (c *Clusterer) Close() { c.handle.close() }

// FitStore finds the centroids of a store's vectors. progress may be nil.
func (c *Clusterer) FitStore(ctx context.Context, store *Store, progress ProgressFunc) error {
	return c.handle.use(func(raw *capi.Clusterer) error {
		return store.handle.use(func(rows *capi.Store) error {
			return withToken(ctx, func(token *capi.Token) *capi.Error {
				return capi.FitStore(raw, rows, token, progress)
			})
		})
	})
}

func checkRows(vectors []float32, dimensions int) error {
	if dimensions <= 0 || len(vectors)%dimensions != 0 {
		return &Error{Status: ErrShape, Message: "vectors: not whole rows"}
	}
	return nil
}

// Fit finds the centroids of rows of `dimensions` numbers.
func (c *Clusterer) Fit(ctx context.Context, vectors []float32, dimensions int) error {
	if err := checkRows(vectors, dimensions); err != nil {
		return err
	}
	return c.handle.use(func(raw *capi.Clusterer) error {
		return withToken(ctx, func(token *capi.Token) *capi.Error {
			return capi.FitVectors(raw, vectors, dimensions, token)
		})
	})
}

// Assign answers the class of each row.
func (c *Clusterer) Assign(ctx context.Context, vectors []float32, dimensions int) ([]uint32, error) {
	if err := checkRows(vectors, dimensions); err != nil {
		return nil, err
	}
	var labels []uint32
	err := c.handle.use(func(raw *capi.Clusterer) error {
		return withToken(ctx, func(token *capi.Token) (failure *capi.Error) {
			labels, failure = capi.AssignVectors(raw, vectors, dimensions, token)
			return failure
		})
	})
	return labels, err
}

// ExportCOCO writes the store's proposals with the clusterer's classes as a COCO data set.
func (s *Store) ExportCOCO(ctx context.Context, clusterer *Clusterer, path string) error {
	return s.handle.use(func(raw *capi.Store) error {
		return clusterer.handle.use(func(classes *capi.Clusterer) error {
			return withToken(ctx, func(token *capi.Token) *capi.Error {
				return capi.ExportCOCO(raw, classes, path, token)
			})
		})
	})
}

// Overlay writes a PNG of one image with its boxes, coloured by the clusterer's classes.
func (s *Store) Overlay(index uint64, images string, clusterer *Clusterer, path string) error {
	return s.handle.use(func(raw *capi.Store) error {
		return clusterer.handle.use(func(classes *capi.Clusterer) error {
			return convert(capi.Overlay(raw, index, images, classes, path))
		})
	})
}
