/// Writes a COCO data set: every image, every proposal with its score, and its pseudo-class.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] labels Pseudo-class of each proposal, `[labels_count]`, below `classes_count`.
/// @param[in] labels_count Must be the store's number of proposals.
/// @param[in] classes_count Number of pseudo-classes; all are listed.
/// @param[in] path File to write; complete or absent.
/// @param[in] run Optional.
/// @param[out] error Optional.
/// @return A status.
///
/// May run at the same time as other functions that take the store `const`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_proposal_store_export_coco(
    store: *const simdetr_proposal_store_t,
    labels: *const u32,
    labels_count: usize,
    classes_count: u32,
    path: *const c_char,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle(store, error, |store| {
            let reader: &StoreReader = &store.reading()?.reader;
            let labels = slice(labels, labels_count, "labels")?;
            let path = Path::new(text(path, "path")?);
            with_control(run, |control| {
                export_store(reader, labels, classes_count, path, control)
            })
        })
    }
}
